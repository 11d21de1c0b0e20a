import type { Column } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { nameColumn } from '../../print/columns.ts'

/** The column Name, with ` (default)` after the class that one of `annotations` marks as the default. */
export function defaultMarkedName(annotations: readonly string[]): Column<KubeObject> {
  return {
    ...nameColumn,
    value: ({ metadata }) => {
      const marked = annotations.some((annotation) => metadata.annotations?.[annotation] === 'true')
      return marked ? `${metadata.name} (default)` : metadata.name
    },
  }
}
