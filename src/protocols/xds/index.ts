/**
 * Messages of Envoy's v3 API in a JSON form and as bytes, by tables instead of generated classes.
 *
 *   generated/   the tables, from the .proto files of @grpc/grpc-js-xds (scripts/generate-xds.mjs)
 *   descriptor   a table's lines as shapes of messages and enums, parsed when first used
 *   encode       JSON form -> bytes, written from the end to the beginning
 *   decode       bytes -> JSON form
 *   well-known   durations and timestamps
 *   proto-json   JSON of people (either spelling of names, maps of patches) -> JSON form
 *
 * The JSON form is that of proto3 with these choices: names in snake_case; an Any is `{ '@type': 'type.googleapis.com/package.Message', ...fields }`, or
 * `{ '@type', '@value': bytes }` where its type is not in the tables or the bytes are there already, or `{}`; a duration is milliseconds as a number or `1.5s`
 * (decoding gives the text); wrappers are plain values; 64 bits are a number, a bigint or decimal text; bytes are a Uint8Array or base64 (decoding gives the
 * array); enums are names (decoding gives the number where it has no name). Zero is not written where proto3 means absence by it.
 * Supported standards: protobuf encoding (proto3, without groups), its JSON mapping as said.
 */
export { decode, type Message } from './decode.ts'
export { isKnownType } from './descriptor.ts'
export { encode } from './encode.ts'
export { XdsError } from './error.ts'
export { fromProtoJson } from './proto-json.ts'
export { formatDuration, parseDuration } from './well-known.ts'
