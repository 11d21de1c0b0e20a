/** A holder of an address, as other holders of it see it. */
export interface Sharer {
  /** Only holders with the same one share. Undefined: never. */
  readonly key: string | undefined
  /** `TCP/80`. */
  readonly ports: ReadonlySet<string>
  /** How traffic is led on. With local traffic only nodes with pods announce the address, so the pods must be the same. */
  readonly way: string
}

/** Whether two services can have one address: nobody else tells them apart but ports. Source: MetalLB, allow-shared-ip. */
export function canShare(a: Sharer, b: Sharer): boolean {
  if (a.key === undefined || a.key !== b.key || a.way !== b.way) return false
  for (const port of a.ports) if (b.ports.has(port)) return false
  return true
}
