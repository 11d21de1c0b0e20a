// RESP2, the protocol of Redis: values to bytes and back. https://redis.io/docs/latest/develop/reference/protocol-spec/

const LIMIT_BYTES = 1024 * 1024

/** Bytes of a request: an array of bulk strings. */
export function encodeRequest(words) {
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...words.map((word) => encodeBulk(word))])
}

/** Bytes of a bulk string; of null for null. */
export function encodeBulk(text) {
  if (text === null) return Buffer.from('$-1\r\n')
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')])
}

/** Collects bytes and gives the whole values among them: strings, numbers, null, arrays, and Error for an error answer. */
export class RespReader {
  #bytes = Buffer.alloc(0)

  /** Throws on what is not RESP, and on values beyond 1 MiB. */
  push(chunk) {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    const values = []
    for (;;) {
      const found = read(this.#bytes, 0, 0)
      if (!found) break
      values.push(found.value)
      this.#bytes = this.#bytes.subarray(found.end)
    }
    if (this.#bytes.length > LIMIT_BYTES) throw new Error('a value is larger than 1 MiB')
    return values
  }
}

/** The value that starts at `at` and where it ends; undefined while its end is missing. */
function read(bytes, at, depth) {
  const eol = bytes.indexOf('\r\n', at)
  if (eol === -1) return undefined
  const line = bytes.toString('utf8', at + 1, eol)
  const end = eol + 2
  switch (String.fromCharCode(bytes[at])) {
    case '+':
      return { value: line, end }
    case '-':
      return { value: new Error(line), end }
    case ':':
      return { value: Number(line), end }
    case '$':
      return readBulk(bytes, end, lengthOf(line))
    case '*':
      if (depth > 2) throw new Error('arrays are nested too deeply')
      return readArray(bytes, { at: end, count: lengthOf(line), depth })
    default:
      throw new Error('not RESP: a request is an array of bulk strings')
  }
}

function readBulk(bytes, at, length) {
  if (length === -1) return { value: null, end: at }
  if (bytes.length < at + length + 2) return undefined
  return { value: bytes.toString('utf8', at, at + length), end: at + length + 2 }
}

function readArray(bytes, { at, count, depth }) {
  if (count === -1) return { value: null, end: at }
  const value = []
  let end = at
  for (let left = count; left > 0; left--) {
    const item = read(bytes, end, depth + 1)
    if (!item) return undefined
    value.push(item.value)
    end = item.end
  }
  return { value, end }
}

function lengthOf(line) {
  const length = Number(line)
  if (!Number.isInteger(length) || length < -1 || length > LIMIT_BYTES) throw new Error(`a length of ${line} is not accepted`)
  return length
}
