import { nodes } from '../../api/core/v1/node.ts'
import { isStatus, messageOf } from '../../base/errors.ts'
import type { Client } from '../../client/client.ts'
import { encodeNodePath } from '../../protocols/node-link.ts'

/** What one node said, or why it said nothing. */
export interface NodeReply<T> {
  readonly node: string
  readonly answer?: T
  readonly problem?: string
}

const AT_ONCE = 16

/** Asks a node through the API server. @throws StatusError `NotFound`, `ServiceUnavailable`, `Forbidden` and what the node refuses */
export async function askNode<T>(client: Client, node: string, path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
  const target = `/api/v1/nodes/${encodeURIComponent(node)}/proxy${encodeNodePath(path)}`
  const answer = await client.transport.send({ method: 'GET', path: target, query })
  // passed on as it comes, whatever it is
  const chunks: Uint8Array[] = []
  for await (const chunk of answer.stream()) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString()) as T
}

/** Asks several nodes, in the order given. What a node lacks or refuses is its reply; whoever may not ask at all is told so. */
export async function askNodes<T>(
  client: Client,
  names: readonly string[],
  question: { readonly path: string; readonly query?: Readonly<Record<string, string>> },
): Promise<readonly NodeReply<T>[]> {
  const replies: NodeReply<T>[] = []
  for (let i = 0; i < names.length; i += AT_ONCE) {
    const some = names.slice(i, i + AT_ONCE).map(async (node): Promise<NodeReply<T>> => {
      try {
        return { node, answer: await askNode<T>(client, node, question.path, question.query) }
      } catch (error) {
        if (isStatus(error, 'Unauthorized', 'Forbidden', 'BadRequest') || (isStatus(error, 'NotFound') && names.length === 1)) throw error
        return { node, problem: messageOf(error) }
      }
    })
    replies.push(...(await Promise.all(some)))
  }
  return replies
}

/** The nodes that were named, or all, sorted. */
export async function namesOfNodes(client: Client, wanted: readonly string[]): Promise<readonly string[]> {
  if (wanted.length > 0) return wanted
  const { items } = await client.of(nodes).listAll()
  return items.map(({ metadata }) => metadata.name).toSorted()
}
