// Builds the conformance suite of Gateway API with test/gateway-conformance as its main test. The binary goes to node_modules/.cache/biplane. Needs Go
// (GOTOOLCHAIN=auto fetches the release that the suite asks for from the module proxy) and, the first time, about four minutes on two cores.
// Usage: node scripts/build-gateway-conformance.mjs [--if-built]   prints the path, or nothing with `--if-built`
import { buildFromCommandLine, goBinary } from './go-binary.mjs'

export const gatewayConformance = goBinary({
  name: 'gateway-conformance',
  folder: 'test/gateway-conformance',
  files: ['gateway_conformance_test.go'],
  command: ['test', '-c'],
})

buildFromCommandLine(gatewayConformance, import.meta.url)
