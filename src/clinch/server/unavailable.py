"""What says that the database cannot answer just now, and that the caller may try again."""

import asyncpg

from clinch.db.database import Busy

UNAVAILABLE = (
    Busy,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # too many connections, or a disk that is full
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # so it says that the connection was lost just then
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
)
