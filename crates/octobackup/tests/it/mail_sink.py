"""A mail server that keeps what it is given: FOLDER MODE [CERTIFICATE KEY]. Ends when its input does.

MODE is plain, starttls or tls; with TLS the account is backup@example.com with the password Hunter2-Mail.
As long as FOLDER/refuse exists, nothing is taken.
"""
import asyncio, os, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

folder, mode = sys.argv[1:3]


class Handler:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        if os.path.exists(os.path.join(folder, "refuse")):
            return "451 not now"
        Handler.count += 1
        path = os.path.join(folder, "%03d.eml" % Handler.count)
        with open(path + ".new", "wb") as file:
            file.write(b"X-To: " + ", ".join(envelope.rcpt_tos).encode() + b"\r\n" + envelope.content)
        os.rename(path + ".new", path)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == b"backup@example.com" and data.password == b"Hunter2-Mail"
    return AuthResult(success=right, handled=right)


def protocol():
    options = {}
    if mode != "plain":
        options = {"authenticator": authenticate, "auth_required": True}
    if mode == "starttls":
        options.update(tls_context=context, require_starttls=True)
    if mode == "tls":
        options.update(auth_require_tls=False)
    return SMTP(Handler(), hostname="sink", **options)


async def main():
    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


context = None
if mode != "plain":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
asyncio.run(main())
