// SPDY/3.1 as clients of Kubernetes speak it for exec: the server's end, without flow control, one direction.
//
//   frames.ts      bytes to frames (bounded, however they are chopped) and frames to bytes
//   headers.ts     header blocks: one zlib stream for a connection, with the dictionary of dictionary.ts; ours are empty
//   session.ts     a connection: streams that the client opens, written to with TCP's back-pressure
//
// Source: SPDY protocol drafts 3 and 3.1; k8s.io/apimachinery httpstream/spdy for what clients make of it. Streams that carry stdin, terminals and forwarded
// ports need the other direction, which is not built.
export { SpdyError, SpdyFrameReader, type SpdyFrame } from './frames.ts'
export { SpdySession, type SpdySessionOptions, type SpdyStream } from './session.ts'
