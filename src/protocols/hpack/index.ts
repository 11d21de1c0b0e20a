/**
 * Header compression of HTTP/2 (RFC 7541).
 *
 * - `HpackDecoder` (decoder.ts) decodes the blocks of a connection into a `FieldBlock` (field-block.ts), whose fields stay encoded, but without reference to a
 *   dynamic table: a proxy that announces a table of 0 bytes copies them to its other side byte for byte. Values are decoded when somebody asks.
 * - Names are examined once (field-name.ts) and found again by their bytes (bytes-memo.ts), which is what makes checking every field cheap. Values, too, when they
 *   come often.
 * - `FieldBlock.add` encodes with the static table alone; `HpackEncoder` (encoder.ts) can use a dynamic table and Huffman codes (huffman.ts).
 */
export { HpackError } from './error.ts'
export { type DecoderLimits, HpackDecoder, writeTableSize } from './decoder.ts'
export { type EncoderOptions, HpackEncoder } from './encoder.ts'
export { FieldBlock, writeField, writeInteger } from './field-block.ts'
export { type FieldName, fieldName, NameKind } from './field-name.ts'
export { decodeHuffman, encodeHuffman, huffmanLength } from './huffman.ts'
