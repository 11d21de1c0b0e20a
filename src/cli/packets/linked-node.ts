import { performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { answerPath, type NodePathHandler } from '../../data-plane/node/link/node-paths.ts'
import { decodeNodePath } from '../../protocols/node-link.ts'
import type { TestCluster } from '../../testing/index.ts'

/** For tests: a node that answers over a link of its own, as an agent does. Close it before the cluster. */
export async function linkNode(
  cluster: TestCluster,
  node: string,
  paths: Readonly<Record<string, NodePathHandler>>,
): Promise<{ close(): void }> {
  const server = createServer()
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const mine = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const theirs = await accepted
  for (const socket of [mine, theirs]) socket.on('error', () => {})
  server.close()
  const session = performServerHandshake(mine)
  session.on('error', () => {})
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void answer(stream, headers))
  cluster.api.links.attach(node, theirs)

  async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const request = decodeNodePath(headers[':path'] ?? '')
    if (!request) return stream.close()
    const {
      status = 200,
      contentType,
      body,
    } = await answerPath(new Map(Object.entries(paths)), { ...request, signal: new AbortController().signal })
    stream.respond({ ':status': status, 'content-type': contentType })
    for await (const chunk of body) stream.write(chunk)
    stream.end()
  }

  return { close: () => void mine.destroy() }
}
