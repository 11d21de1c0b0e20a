// WebSocket (RFC 6455), the server's end, as far as exec needs it: no extensions, binary messages out, bounded messages in.
//
//   handshake.ts   what is answered to an upgrade, and with which subprotocol
//   frames.ts      a client's bytes to frames, and a server's frames to bytes
export { encodeClose, encodeMessage, encodePong, WebSocketError, WebSocketReader, type WebSocketFrame } from './frames.ts'
export { answerHandshake, type UpgradeHeaders, type WebSocketAnswer } from './handshake.ts'
