import { InvalidArgumentError, type Command, Option } from 'commander'
import { formatIp, parseIp } from '../../base/ip.ts'

/** Options of all commands that talk to a cluster. */
export interface ConnectOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly namespace?: string
}

/** Adds the options of `ConnectOptions`. */
export function withConnection(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig to use (default: $KUBECONFIG, else ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig (default: the current one)')
    .option('-n, --namespace <name>', 'namespace (default: the one of the context)')
}

/** Adds `-f FILE|DIR`, which may be given several times. */
export function withFiles(command: Command, description: string): Command {
  return command.option('-f, --filename <path>', `${description} (repeatable; - is standard input)`, collect, [])
}

/** Adds `-o`. */
export function withOutput(command: Command, formats: readonly string[]): Command {
  return command.addOption(new Option('-o, --output <format>', 'how to print').choices(formats))
}

/** Collects the values of a repeatable option. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** Milliseconds of `90s`, `5m`, `1h30m`, `250ms`, or of a bare number of seconds. */
export function parseDuration(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)]
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text) {
    throw new InvalidArgumentError('Expected a duration such as 90s, 5m or 1h30m.')
  }
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ''] as number), 0)
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A whole number, 0 or more. */
export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(text)
}

/** `HOST:PORT`; the host may be an IPv6 address in brackets. */
export interface ListenAddress {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
}

export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535) throw new InvalidArgumentError('Expected HOST:PORT, such as 127.0.0.1:6443 (port 0 picks a free one).')
  return { host: match[1] ?? match[2] ?? '', port }
}

/** One address, or one of each family. */
export function parseAddresses(text: string): readonly string[] {
  const addresses = text.split(',').map((part) => parseIp(part.trim()))
  const known = addresses.filter((bytes) => bytes !== undefined)
  if (known.length !== addresses.length || new Set(known.map((bytes) => bytes.length)).size !== addresses.length) {
    throw new InvalidArgumentError('Expected an IP address, or one of each family: 10.0.0.1,fd00::1.')
  }
  return known.map(formatIp)
}

/** `key=value`. */
export function parsePair(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const equals = text.indexOf('=')
  if (equals <= 0) throw new InvalidArgumentError('Expected KEY=VALUE.')
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) }
}
