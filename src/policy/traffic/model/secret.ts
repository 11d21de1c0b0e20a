/** What TLS needs and nobody else may see. Identities are not among them: those never leave the node they are used on. */
export interface Secret {
  readonly name: string
  /** PEM, leaf first. */
  readonly certificate?: string
  /** PEM. */
  readonly privateKey?: string
  /** PEM, several one after the other. */
  readonly ca?: string
}
