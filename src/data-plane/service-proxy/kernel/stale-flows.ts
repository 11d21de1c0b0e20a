/** UDP connections of conntrack whose way no longer exists. */
export interface StaleFlow {
  readonly family: 4 | 6
  /** Where the client sends to. */
  readonly address: string
  readonly port: number
  /** Who answered; absent: connections that were not translated at all, from before the service had endpoints. */
  readonly backend?: { readonly address: string; readonly port: number }
}

/** Forgets such connections; the next packet of each is judged anew. */
export interface FlowCleaner {
  /** @returns how many were forgotten */
  forget(flows: readonly StaleFlow[]): Promise<number>
}
