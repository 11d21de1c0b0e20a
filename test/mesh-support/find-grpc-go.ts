import { join } from 'node:path'
import { REPOSITORY } from '../support/program.ts'

const { grpcGo } = (await import(join(REPOSITORY, 'scripts/build-grpc-go.mjs'))) as { readonly grpcGo: { readonly built: () => string } }

/** The caller and server of gRPC for Go (grpc-go/main.go), where node scripts/build-grpc-go.mjs has built it; or undefined. */
export const GRPC_GO: string | undefined = grpcGo.built() || undefined
