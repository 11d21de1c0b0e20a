/** Counters of a protocol by name, as `Ip`, `TcpExt`, `Ip6`. */
export type ProtocolCounters = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface SoftnetCounters {
  readonly cpu: number
  readonly processed: number
  /** The queue of the processor was full. */
  readonly dropped: number
  /** It had to stop with packets left. */
  readonly squeezed: number
}

export interface LinkCounters {
  readonly device: string
  readonly receive: DirectionCounters
  readonly transmit: DirectionCounters
}

export interface DirectionCounters {
  readonly bytes: number
  readonly packets: number
  readonly errors: number
  readonly drops: number
}

/** Reads /proc/net/snmp and /proc/net/netstat: lines in pairs, of names and of numbers. What does not fit is left out. */
export function parseProtocolCounters(text: string): ProtocolCounters {
  const found: Record<string, Record<string, number>> = {}
  const lines = text.split('\n')
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [name = '', ...fields] = (lines[i] as string).split(' ')
    const [again, ...values] = (lines[i + 1] as string).split(' ')
    if (name === '' || again !== name) continue
    found[name.slice(0, -1)] = Object.fromEntries(fields.map((field, at) => [field, Number(values[at] ?? 0)]))
  }
  return found
}

/** Reads /proc/net/snmp6: `Ip6InReceives 5` is InReceives of Ip6. */
export function parseSnmp6(text: string): ProtocolCounters {
  const found: Record<string, Record<string, number>> = {}
  for (const [, protocol = '', field = '', value] of text.matchAll(/^(Ip6|Icmp6|UdpLite6|Udp6)(\w+)\s+(\d+)$/gm))
    (found[protocol] ??= {})[field] = Number(value)
  return found
}

/** Reads /proc/net/softnet_stat: a line of hexadecimal numbers for each processor that runs. */
export function parseSoftnet(text: string): readonly SoftnetCounters[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const fields = line.split(' ').map((field) => Number.parseInt(field, 16))
      // newer kernels say which processor it is
      return { cpu: fields[12] ?? index, processed: fields[0] ?? 0, dropped: fields[1] ?? 0, squeezed: fields[2] ?? 0 }
    })
}

/** Reads /proc/net/dev. */
export function parseLinks(text: string): readonly LinkCounters[] {
  return text.split('\n').flatMap((line) => {
    const [, device, rest = ''] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? []
    if (device === undefined) return []
    const fields = rest.trim().split(/\s+/).map(Number)
    const at = (index: number): number => fields[index] ?? 0
    return {
      device,
      receive: { bytes: at(0), packets: at(1), errors: at(2), drops: at(3) },
      transmit: { bytes: at(8), packets: at(9), errors: at(10), drops: at(11) },
    }
  })
}

/** Reads /proc/net/stat/nf_conntrack: a head of names, a line of hexadecimal numbers for each processor. Summed, but for `entries`, which each says whole. */
export function parseConntrackStatistics(text: string): Readonly<Record<string, number>> {
  const [head = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '')
  const names = head.trim().split(/\s+/)
  const sums: Record<string, number> = {}
  for (const line of lines) {
    line
      .trim()
      .split(/\s+/)
      .forEach((field, at) => {
        const name = names[at]
        const value = Number.parseInt(field, 16)
        if (name !== undefined) sums[name] = name === 'entries' ? value : (sums[name] ?? 0) + value
      })
  }
  return sums
}
