/**
 * gRPC over HTTP/2, bytes in and values out: messages cut out of DATA (`GrpcReader`), framed (`grpcFrame`), and how a call ends (`GrpcStatus`, `grpcTrailers`,
 * `grpcStatusOf`). Compressed messages are refused: nobody is told that we take them. Source: grpc.github.io, PROTOCOL-HTTP2.
 */
export { GRPC_HEAD_BYTES, GrpcFrameError, grpcFrame, GrpcReader } from './frames.ts'
export { GrpcStatus, GrpcError, grpcMessage, grpcStatusOf, grpcTrailers, type GrpcCode } from './status.ts'
