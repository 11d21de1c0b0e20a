// The programs of the service bench and the test against kube-proxy: api NODE ADDRESS..., proxy ACCESS NODE (JSON), probe.
import { runApi } from './run-api.ts'
import { runProbe } from './run-probe.ts'
import { runProxy, type ApiAccess } from './run-proxy.ts'

const [mode, ...args] = process.argv.slice(2)
if (mode === 'api') await runApi(args[0] as string, args.slice(1))
else if (mode === 'proxy') await runProxy(JSON.parse(args[0] as string) as ApiAccess, JSON.parse(args[1] as string) as never)
else await runProbe()
