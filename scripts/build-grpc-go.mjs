// Builds the program of gRPC for Go with which tests call and serve in the mesh. Needs Go and, the first time, about a minute on two cores.
// Usage: node scripts/build-grpc-go.mjs [--if-built]   prints the path, or nothing with `--if-built`
import { buildFromCommandLine, goBinary } from './go-binary.mjs'

export const grpcGo = goBinary({ name: 'grpc-echo', folder: 'test/mesh-support/grpc-go', files: ['main.go'], command: ['build'] })

buildFromCommandLine(grpcGo, import.meta.url)
