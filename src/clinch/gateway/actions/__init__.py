"""The friendly actions of the app `close`: what people say they want, done by calls of its API.

They know the CRM by an `Api` alone, so the same action works against this server and close.com.
"""
