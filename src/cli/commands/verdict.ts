import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { askVerdict } from '../packets/ask-verdict.ts'
import { verdictText } from '../packets/verdict-report.ts'
import { printJson } from '../print/print-objects.ts'
import type { ConnectOptions } from '../program/options.ts'

interface VerdictOptions extends ConnectOptions {
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp'
  readonly node?: string
  readonly output?: 'text' | 'wide' | 'json'
}

/** `biplane verdict FROM TO`. */
export async function runVerdict(context: CliContext, from: string, to: string, options: VerdictOptions): Promise<void> {
  await using session = connect(context, options)
  const report = await askVerdict(session.client, {
    from,
    to,
    protocol: options.protocol.toUpperCase() as Uppercase<VerdictOptions['protocol']>,
    namespace: session.namespace,
    ...(options.node === undefined ? {} : { node: options.node }),
  })
  context.out.write(options.output === 'json' ? printJson(report) : verdictText(report, { wide: options.output === 'wide' }))
}
