import type { Client } from '../../client/client.ts'
import { MESH_VIEW_PATH } from '../../protocols/mesh-view.ts'

/** Asks the control plane for a view of the mesh (protocols/mesh-view.ts). @throws {StatusError} */
export async function askMesh<T>(
  client: Client,
  path: string,
  query: Readonly<Record<string, string | readonly string[] | undefined>> = {},
): Promise<T> {
  const answer = await client.transport.send({ method: 'GET', path: `${MESH_VIEW_PATH}${path}`, query })
  return (await answer.object()) as T
}
