import type { RouteView } from '../../control-plane/routing/index.ts'
import { parsePrefix } from '../../base/ip.ts'
import { ROUTES_PATH, type RoutesAnswer } from '../../protocols/node-explain.ts'
import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { usageError } from '../errors/cli-error.ts'
import { askNodes, namesOfNodes, type NodeReply } from '../packets/ask-nodes.ts'
import { askLocalRouter, type LocalOptions } from '../packets/local-router.ts'
import { reportSilence } from '../packets/report-silence.ts'
import { routeDetails, routesTable } from '../packets/routes-report.ts'
import { printJson } from '../print/print-objects.ts'
import type { ConnectOptions } from '../program/options.ts'

interface RoutesOptions extends ConnectOptions, LocalOptions {
  readonly node: readonly string[]
  readonly local?: boolean
  readonly limit?: number
  readonly output?: 'table' | 'wide' | 'json'
}

type Replies = readonly NodeReply<RoutesAnswer<RouteView>>[]

/** `biplane routes`: what is in use, or all about one prefix. */
export async function runRoutes(context: CliContext, prefix: string | undefined, options: RoutesOptions): Promise<number> {
  if (prefix !== undefined && !parsePrefix(prefix))
    throw usageError(`"${prefix}" is no prefix`, 'write it as 192.0.2.0/24 or 2001:db8::/32')
  const query = { ...(prefix === undefined ? {} : { prefix }), ...(options.limit === undefined ? {} : { limit: String(options.limit) }) }
  const replies = options.local ? await askHere(context, query, options) : await askCluster(context, query, options)
  if (options.output === 'json') context.out.write(printJson(replies))
  else {
    const text = prefix === undefined ? routesTable(replies, { wide: options.output === 'wide' }) : routeDetails(replies)
    if (text === '') context.err.write('No routes found\n')
    else context.out.write(text)
  }
  return reportSilence(context, replies, options.node)
}

async function askCluster(context: CliContext, query: Record<string, string>, options: RoutesOptions): Promise<Replies> {
  await using session = connect(context, options)
  return await askNodes(session.client, await namesOfNodes(session.client, options.node), { path: ROUTES_PATH, query })
}

async function askHere(context: CliContext, query: Record<string, string>, options: RoutesOptions): Promise<Replies> {
  const { node, answer } = await askLocalRouter(context, options, `/routes?${new URLSearchParams(query).toString()}`)
  return [{ node, answer: { node, routes: [], ...answer } }]
}
