import type { KernelLink } from '../../../protocols/netlink/route/index.ts'
import type { Devices } from './way.ts'

interface Device {
  readonly index: number
  readonly isUp: boolean
  readonly hasCarrier: boolean
}

/** The interfaces of the namespace, kept by what the kernel tells. */
export class DeviceTable {
  readonly #byName = new Map<string, Device>()
  readonly #names = new Map<number, string>()
  isKnown = false

  get byName(): Devices {
    return this.#byName
  }

  nameOf(index: number): string | undefined {
    return this.#names.get(index)
  }

  reset(links: readonly KernelLink[]): void {
    this.#byName.clear()
    this.#names.clear()
    for (const link of links) this.update(link, false)
    this.isKnown = true
  }

  /** @returns whether routes may have been touched: it came, went, or its state is another */
  update(link: KernelLink, isGone: boolean): boolean {
    const oldName = this.#names.get(link.index)
    const before = oldName === undefined ? undefined : this.#byName.get(oldName)
    if (oldName !== undefined && (isGone || oldName !== link.name)) this.#byName.delete(oldName)
    if (isGone) {
      this.#names.delete(link.index)
      return before !== undefined
    }
    const { index, isUp, hasCarrier } = link
    this.#names.set(index, link.name)
    this.#byName.set(link.name, { index, isUp, hasCarrier })
    return !before || oldName !== link.name || before.isUp !== isUp || before.hasCarrier !== hasCarrier
  }
}
