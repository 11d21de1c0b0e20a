import { configMaps, namespaces } from '../../src/api/index.ts'
import { watchOf, type Manager } from '../../src/controller/index.ts'

/**
 * An operator: every namespace with a label `team` has a ConfigMap `team` that says how to reach that team.
 * What somebody changes or deletes is put back; when the label goes, the ConfigMap goes.
 */
export function addTeamOperator(manager: Manager): void {
  const known = manager.informers.informer(namespaces).lister
  const maps = manager.informers.informer(configMaps).lister
  const client = manager.client.of(configMaps)
  const recorder = manager.recorder('team-operator')
  manager.addController({
    name: 'team',
    watches: [
      watchOf(namespaces),
      watchOf(configMaps, ({ metadata }) => (metadata.name === 'team' ? [{ namespace: '', name: metadata.namespace ?? '' }] : [])),
    ],
    reconciler: {
      async reconcile({ name }) {
        const namespace = known.get(name)
        if (!namespace || namespace.metadata.deletionTimestamp) return
        const map = maps.get(`${name}/team`)
        const team = namespace.metadata.labels?.['team']
        if (!team) return void (map && (await client.delete('team', { namespace: name })))
        const contact = `${team}@example.com`
        if (map?.data?.['contact'] === contact) return
        if (map) await client.update({ ...map, data: { contact } })
        else await client.create({ metadata: { name: 'team', namespace: name }, data: { contact } })
        recorder.event(namespace, 'Normal', 'TeamContact', `the team is reached at ${contact}`)
      },
    },
  })
}
