import { join } from 'node:path'
import type { ListenAddress } from '../program/options.ts'
import { isReadyAt, programOf, type CompanionOptions } from './companion.ts'
import { dnsSocketPath } from './dns.ts'
import { dataLayout } from './layout.ts'

export interface DnsCompanionOptions extends Pick<CompanionOptions, 'env' | 'clock' | 'random' | 'log' | 'stopAtEnd'> {
  /** The command that starts this program: executable and script. */
  readonly self: readonly string[]
  readonly dataDir: string
  /** Of the node. */
  readonly name: string
  readonly server: string
  /** PEM file that stays there. */
  readonly caFile: string
  readonly listen: readonly ListenAddress[]
  readonly domain: string
  /** Ranges of pods and services. */
  readonly reverseRanges: readonly string[]
  /** More flags of `biplane dns`. */
  readonly flags?: readonly string[]
}

/** How the agent of a node keeps its DNS server: for `superviseCompanion`. */
export function dnsCompanion(options: DnsCompanionOptions): CompanionOptions {
  const { self, dataDir, name, server, caFile, listen, domain, reverseRanges, flags = [], ...rest } = options
  const { state } = dataLayout(dataDir).node(name)
  const address = ({ host, port }: ListenAddress): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
  const argv = [
    ...self,
    'dns',
    `--data-dir=${dataDir}`,
    `--name=${name}`,
    `--server=${server}`,
    `--ca-file=${caFile}`,
    `--domain=${domain}`,
    ...listen.map((each) => `--listen=${address(each)}`),
    ...reverseRanges.map((range) => `--reverse-range=${range}`),
    ...flags,
  ]
  return {
    ...rest,
    role: 'dns',
    argv,
    version: programOf(self),
    recordFile: join(state, 'dns.process.json'),
    logFile: join(state, 'dns.log'),
    isReady: (pid) => isReadyAt(dnsSocketPath(dataDir, name), pid),
  }
}
