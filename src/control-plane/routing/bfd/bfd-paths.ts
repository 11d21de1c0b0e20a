import type { IpBytes } from '../../../base/ip.ts'
import type { BfdState } from '../../../protocols/bfd/index.ts'
import type { BfdConfig } from '../config/index.ts'

export interface BfdTarget {
  readonly address: IpBytes
  readonly device?: string
}

export interface BfdListener {
  /** The path is dead. `graceful`: it may be the peer's control plane alone, and the configuration lets that count. */
  down(reason: string, graceful: boolean): void
  changed(state: BfdState): void
}

/** One watched path. */
export interface BfdWatch {
  readonly state: BfdState
  close(): void
}

/** The watch over all paths of a node. */
export interface BfdPaths {
  /** @throws Error when the path cannot be watched, where that is known at once */
  watch(target: BfdTarget, config: BfdConfig, listener: BfdListener): BfdWatch
  /** Tells all neighbours that it is no failure, and closes. */
  close(): Promise<void>
}
