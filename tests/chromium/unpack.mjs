// Unpacks the Chromium of the package, and the libraries that a server's system may not have, beside it.
process.env.TMPDIR = process.cwd();
process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";
const { default: chromium } = await import("@sparticuz/chromium");
await chromium.executablePath();
