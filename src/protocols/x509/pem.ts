/** Thrown for text without the block asked for. `code` is `InvalidPem`. */
export class PemError extends Error {
  override readonly name = 'PemError'
  readonly code = 'InvalidPem'
}

/** @param label such as `CERTIFICATE`. Source: RFC 7468. */
export function encodePem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.map((line) => `${line}\n`).join('')}-----END ${label}-----\n`
}

/** The bytes of the first block with one of `labels`; text around it is ignored. @throws {PemError} */
export function decodePem(text: string, ...labels: readonly string[]): Buffer {
  for (const match of text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,64})-----\s([A-Za-z0-9+/=\s]*?)-----END \1-----/g)) {
    if (labels.includes(match[1] as string)) return Buffer.from(match[2] as string, 'base64')
  }
  throw new PemError(`no PEM block of type ${labels.join(' or ')}`)
}
