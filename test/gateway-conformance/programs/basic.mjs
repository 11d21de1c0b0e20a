// Stands for the suite's image echo-basic: which server it is, its environment says.
import { serveGrpc } from './grpc-echo.mjs'
import { serveHttp } from './http-echo.mjs'
import { serveTcp, serveUdp } from './stream-echo.mjs'

const { GRPC_ECHO_SERVER, TCP_ECHO_SERVER, UDP_ECHO_SERVER } = process.env
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0))
if (GRPC_ECHO_SERVER) serveGrpc()
else if (TCP_ECHO_SERVER) serveTcp()
else if (UDP_ECHO_SERVER) serveUdp()
else serveHttp()
