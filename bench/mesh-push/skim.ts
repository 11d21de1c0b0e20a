/**
 * Nonce and number of resources of a DeltaDiscoveryResponse, without looking into what is in it: thousands of simulated proxies read it at the same time.
 * @param versions filled with the versions of resources by name, if given
 */
export function skim(message: Buffer, versions?: Map<string, string>): { readonly nonce: string; readonly resources: number } {
  let [nonce, resources] = ['', 0]
  eachField(message, (field, value) => {
    if (field === 5) nonce = value.toString()
    if (field !== 2 && field !== 6) return
    resources++
    if (!versions || field !== 2) return
    let [name, version] = ['', '']
    eachField(value, (part, bytes) => {
      if (part === 1) version = bytes.toString()
      if (part === 3) name = bytes.toString()
    })
    versions.set(name, version)
  })
  return { nonce, resources }
}

/** Fields with a length; others are passed over. */
function eachField(bytes: Buffer, visit: (field: number, value: Buffer) => void): void {
  let at = 0
  const varint = (): number => {
    let [value, shift] = [0, 0]
    for (;;) {
      const byte = bytes[at++] as number
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
      shift += 7
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    if ((tag & 7) === 0) {
      varint()
      continue
    }
    if ((tag & 7) !== 2) throw new Error(`wire type ${tag & 7} at ${at}`)
    const length = varint()
    visit(tag >> 3, bytes.subarray(at, at + length))
    at += length
  }
}
