/** Bits of a byte. */
export const TOKEN = 1
/** HTAB, SP, VCHAR and obs-text: what a field value may hold. */
export const VALUE = 2
/** Visible ASCII: what a request target may hold. */
export const VISIBLE = 4
export const DIGIT = 8
export const HEX = 16

/** What each byte may be part of. Sources: RFC 9110 sections 5.5 and 5.6.2, RFC 9112 section 3.2. */
export const CHARACTERS: Uint8Array = build()

function build(): Uint8Array {
  const table = new Uint8Array(256)
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte)
    let bits = 0
    if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(char)) bits |= TOKEN
    if (byte === 9 || (byte >= 32 && byte !== 127)) bits |= VALUE
    if (byte > 32 && byte < 127) bits |= VISIBLE
    if (byte >= 48 && byte <= 57) bits |= DIGIT
    if (/[0-9A-Fa-f]/.test(char)) bits |= HEX
    table[byte] = bits
  }
  return table
}
