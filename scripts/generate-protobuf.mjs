// Writes src/api/generated/protobuf.ts: field numbers and types of the Kubernetes messages, so that protobuf request bodies can be read.
//
// The numbers come out of the descriptors that kubectl 1.34 carries (later versions carry none): they are stable for ever, so the
// committed file stays right. Usage: node scripts/generate-protobuf.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { testClients } from './test-clients.mjs'

const target = new URL('../src/api/generated/protobuf.ts', import.meta.url)
const binary = testClients(['1.34']).kubectl['1.34']
if (!binary) {
  console.log('generate-protobuf: kubectl 1.34 cannot be had here; nothing is checked')
  process.exit(0)
}

/** Property names of every schema, read from the generated table. */
const properties = new Map()
for (const line of readFileSync(new URL('../src/api/generated/schemas.ts', import.meta.url), 'utf8').split('\n')) {
  const match = /^ {2}'([^']+)': '(.*)',$/.exec(line)
  if (match) properties.set(match[1], new Set(Object.keys(JSON.parse(match[2].replaceAll("\\'", "'").replaceAll('\\\\', '\\')))))
}

/** Fields of a protobuf message as [number, wireType, value]; value is a bigint or bytes. */
function* fields(bytes) {
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const wire = tag & 7
    if (wire === 0) yield [tag >>> 3, varint()]
    else if (wire === 2) {
      const length = Number(varint())
      yield [tag >>> 3, bytes.subarray(at, (at += length))]
    } else if (wire === 5) yield [tag >>> 3, bytes.subarray(at, (at += 4))]
    else if (wire === 1) yield [tag >>> 3, bytes.subarray(at, (at += 8))]
    else throw new Error(`wire type ${wire}`)
  }
}

/** Every FileDescriptorProto in the binary: they are gzip streams of their own. */
function* descriptors(image) {
  for (let at = image.indexOf('\x1f\x8b\x08', 0, 'latin1'); at !== -1; at = image.indexOf('\x1f\x8b\x08', at + 1, 'latin1')) {
    try {
      const file = gunzipSync(image.subarray(at, at + 262_144), { finishFlush: 2 })
      const name = [...fields(file)].find(([number]) => number === 1)?.[1]
      if (name && /^k8s\.io\/.*generated\.proto$/.test(name.toString())) yield file
    } catch {
      // three bytes that look like gzip and are not
    }
  }
}

const first = (list, number) => list.find(([n]) => n === number)?.[1]
const all = (list, number) => list.filter(([n]) => n === number).map(([, value]) => value)
const text = (bytes) => (bytes === undefined ? '' : bytes.toString())
/** `.k8s.io.api.core.v1.Pod` -> `io.k8s.api.core.v1.Pod`, the name in the table of schemas. */
const schemaName = (name) => name.replace(/^\./, '').replace(/^k8s\.io\./, 'io.k8s.')

const KINDS = { 1: 'double', 3: 'int', 4: 'int', 5: 'int', 8: 'bool', 9: 'string', 11: 'message', 12: 'bytes', 13: 'int' }
const NULLABLE = 65001
const messages = {}
const mapEntries = {}

function readMessage(prefix, bytes) {
  const message = [...fields(bytes)]
  const name = `${prefix}.${text(first(message, 1))}`
  const options = first(message, 7)
  const list = all(message, 2).map((raw) => {
    const field = [...fields(raw)]
    const fieldOptions = first(field, 8)
    const nullable = fieldOptions ? first([...fields(fieldOptions)], NULLABLE) : undefined
    return {
      name: text(first(field, 1)),
      number: Number(first(field, 3)),
      repeated: Number(first(field, 4)) === 3,
      kind: KINDS[Number(first(field, 5))],
      ref: schemaName(text(first(field, 6))),
      // without a pointer in Go, zero is how "not set" looks
      zeroIsAbsent: nullable === 0n,
    }
  })
  for (const nested of all(message, 3)) readMessage(name, nested)
  const isMap = options && first([...fields(options)], 7) === 1n
  if (isMap) mapEntries[schemaName(name)] = list
  else messages[schemaName(name)] = list
}

for (const file of descriptors(readFileSync(binary))) {
  const descriptor = [...fields(file)]
  const prefix = text(first(descriptor, 2))
  // alpha and beta versions are not served
  if (/(alpha|beta)\d*$/.test(prefix)) continue
  for (const message of all(descriptor, 4)) readMessage(prefix, message)
}

// a struct that Go embeds in its JSON is a message of its own in protobuf; its name is no property of the schema
const inline = (message, field) => {
  const known = properties.get(message)
  return field.kind === 'message' && !field.repeated && known !== undefined && !known.has(field.name)
}

const reachable = Object.keys(messages)
  .filter((name) => /^io\.k8s\.(api\.|apimachinery\.)/.test(name))
  .sort()
const out = {}
for (const name of reachable) {
  out[name] = messages[name]
    .map((field) => {
      const entry = mapEntries[field.ref]
      const type = entry ? `map<${describe(entry.find((one) => one.number === 2))}>` : describe(field)
      const flags = `${field.repeated && !entry ? 'r' : ''}${field.zeroIsAbsent ? 'z' : ''}${inline(name, field) ? 'i' : ''}`
      return `${field.number} ${field.name} ${type}${flags ? ` ${flags}` : ''}`
    })
    .join('\n')
}
function describe(field) {
  return field.kind === 'message' ? field.ref : field.kind
}

const lines = Object.entries(out).map(([name, value]) => `  '${name}': ${JSON.stringify(value)},`)
const source = `// Generated by scripts/generate-protobuf.mjs from the descriptors in kubectl 1.34 (Apache-2.0, see NOTICE). Do not edit.

/** Message name -> one line a field: \`number name type [flags]\`; flags: r repeated, z zero means absent, i inlined in JSON. */
export const PROTOBUF_MESSAGES: Readonly<Record<string, string>> = {
${lines.join('\n')}
}
`
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== source) {
    console.error('src/api/generated/protobuf.ts is not what scripts/generate-protobuf.mjs writes')
    process.exit(1)
  }
} else {
  writeFileSync(target, source)
}
