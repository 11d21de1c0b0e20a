/** A transaction that nf_tables refused; nothing of it is in force. `code` is the errno by name, `EINVAL` for text that nft cannot read. */
export class NftError extends Error {
  override readonly name = 'NftError'
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code
  }
}
