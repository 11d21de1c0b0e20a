import type { PeerView } from '../../control-plane/routing/index.ts'
import { PEERS_PATH, type PeersAnswer } from '../../protocols/node-explain.ts'
import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { askNodes, namesOfNodes, type NodeReply } from '../packets/ask-nodes.ts'
import { askLocalRouter, type LocalOptions } from '../packets/local-router.ts'
import { peersTable } from '../packets/peers-report.ts'
import { reportSilence } from '../packets/report-silence.ts'
import { printJson } from '../print/print-objects.ts'
import type { ConnectOptions } from '../program/options.ts'

interface PeersOptions extends ConnectOptions, LocalOptions {
  readonly node: readonly string[]
  readonly local?: boolean
  readonly output?: 'table' | 'wide' | 'json'
}

type Replies = readonly NodeReply<PeersAnswer<PeerView>>[]

/** `biplane peers`. */
export async function runPeers(context: CliContext, options: PeersOptions): Promise<number> {
  const replies = options.local ? await askHere(context, options) : await askCluster(context, options)
  if (options.output === 'json') context.out.write(printJson(replies))
  else {
    const table = peersTable(replies, { wide: options.output === 'wide', nowMs: context.clock.now() })
    if (table === '') context.err.write('No peers found\n')
    else context.out.write(table)
  }
  return reportSilence(context, replies, options.node)
}

async function askCluster(context: CliContext, options: PeersOptions): Promise<Replies> {
  await using session = connect(context, options)
  return await askNodes(session.client, await namesOfNodes(session.client, options.node), { path: PEERS_PATH })
}

async function askHere(context: CliContext, options: PeersOptions): Promise<Replies> {
  const { node, answer } = await askLocalRouter(context, options, '/peers')
  return [{ node, answer: { node, peers: [], ...answer } }]
}
