/**
 * Protobuf messages, read without generated classes: bytes and a table of fields in, JSON values out.
 *
 *   reader           wire format: tags, varints, lengths
 *   message-decoder  a message by its table: scalars, maps, repeated and packed fields, messages inlined in JSON, special messages
 *
 * Nothing is encoded: servers may answer JSON to clients that send protobuf. Bounded by the size of the input and a depth.
 * Supported standards: protobuf encoding (proto2 and proto3 without groups).
 */
export { MessageDecoder, type FieldShape, type MessageDecoderOptions } from './message-decoder.ts'
export { ProtobufError, readFields, type WireField } from './reader.ts'
