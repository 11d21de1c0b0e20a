// Schemas that no model of the source package describes: kinds of the API machinery that are not in its OpenAPI, and our own.
// Field: [type, docs, options?]; types as in src/api/generated/schemas.ts, `!` marks a required field.

import { ADDRESS_POOL_EXTRAS } from './schema-extras-address-pool.mjs'
import { GATEWAY_EXTRAS } from './schema-extras-gateway.mjs'
import { KUMA_EXTRAS } from './schema-extras-kuma.mjs'
import { PACKET_POLICY_EXTRAS } from './schema-extras-packet-policy.mjs'
import { ROUTING_EXTRAS } from './schema-extras-routing.mjs'

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const typeMeta = {
  apiVersion: ['string', 'Version of the schema of this object, such as `v1`.'],
  kind: ['string', 'Kind of this object.'],
}
const objectMeta = [`${META}.ObjectMeta`, 'Standard object metadata.']

export const EXTRAS = {
  ...ADDRESS_POOL_EXTRAS,
  ...GATEWAY_EXTRAS,
  ...KUMA_EXTRAS,
  ...PACKET_POLICY_EXTRAS,
  ...ROUTING_EXTRAS,
  [`${META}.PartialObjectMetadata`]: {
    doc: 'PartialObjectMetadata is any object of which only the metadata is asked for.',
    fields: { ...typeMeta, metadata: objectMeta },
  },
  [`${META}.PartialObjectMetadataList`]: {
    doc: 'PartialObjectMetadataList is a list of objects of which only the metadata is asked for.',
    fields: {
      ...typeMeta,
      items: [`![${META}.PartialObjectMetadata`, 'The metadata of each object.'],
      metadata: [`${META}.ListMeta`, 'Standard list metadata.'],
    },
  },
  [`${META}.Table`]: {
    doc: 'Table is a list of objects as rows and columns, for display.',
    fields: {
      ...typeMeta,
      columnDefinitions: [`![${META}.TableColumnDefinition`, 'What each column holds.', { list: 'atomic' }],
      metadata: [`${META}.ListMeta`, 'Standard list metadata.'],
      rows: [`![${META}.TableRow`, 'One row per object.', { list: 'atomic' }],
    },
  },
  [`${META}.TableColumnDefinition`]: {
    doc: 'TableColumnDefinition describes one column of a Table.',
    fields: {
      description: ['!string', 'What the column says, for people.'],
      format: ['!string', 'Modifier of the type, as in OpenAPI.'],
      name: ['!string', 'Heading of the column.'],
      priority: ['!int32', '0 for columns that are always shown, more for those shown when there is room.'],
      type: ['!string', 'OpenAPI type of the cells: string, integer, number, boolean or date.'],
    },
  },
  [`${META}.TableRow`]: {
    doc: 'TableRow is one row of a Table.',
    fields: {
      cells: ['![any', 'One value per column.', { list: 'atomic' }],
      conditions: [`[${META}.TableRowCondition`, 'What is special about this row.', { list: 'atomic' }],
      object: ['raw', 'The object, its metadata or nothing, as `includeObject` of the request says.'],
    },
  },
  [`${META}.TableRowCondition`]: {
    doc: 'TableRowCondition marks a row, for example as completed.',
    fields: {
      message: ['string', 'Details for people.'],
      reason: ['string', 'One word for programs.'],
      status: ['!string', 'True, False or Unknown.'],
      type: ['!string', 'Kind of the mark.'],
    },
  },
  'dev.biplane.v1alpha1.ImageRecipe': {
    doc: 'ImageRecipe says how to run the containers of matching images as plain processes.',
    fields: {
      ...typeMeta,
      metadata: objectMeta,
      spec: ['!dev.biplane.v1alpha1.ImageRecipeSpec', 'Which images, and what to run for them.'],
    },
  },
  'dev.biplane.v1alpha1.ImageRecipeList': {
    doc: 'ImageRecipeList is a list of image recipes.',
    fields: {
      ...typeMeta,
      items: ['![dev.biplane.v1alpha1.ImageRecipe', 'The recipes.'],
      metadata: [`${META}.ListMeta`, 'Standard list metadata.'],
    },
  },
  'dev.biplane.v1alpha1.ImageRecipeSpec': {
    doc: 'ImageRecipeSpec maps images to a command of the host.',
    fields: {
      args: ['[string', "Stands for the image's CMD; a container's args replace it.", { list: 'atomic' }],
      command: ['[string', "Stands for the image's ENTRYPOINT. Absent: the container's own command runs as given.", { list: 'atomic' }],
      env: ['{string', "Stands for the image's ENV; a container's own variables win."],
      files: [
        '[dev.biplane.v1alpha1.ImageRecipeFile',
        'Files put into the private directory of the container before it starts.',
        { list: 'map', keys: ['path'], strategy: ['merge'], merge: 'path' },
      ],
      images: ['![string', 'Globs over the image as written, registry and tag included; * matches any characters.', { list: 'set' }],
      priority: ['int32', 'Larger wins where several recipes match. Built-in recipes have -1000. Default 0.'],
      workingDir: ['string', 'Directory to start in.'],
    },
  },
  'dev.biplane.v1alpha1.ImageRecipeFile': {
    doc: 'ImageRecipeFile is one file of a recipe.',
    fields: {
      content: ['!string', 'What the file holds.'],
      mode: ['int32', 'Permission bits. Default 420 (0644).'],
      path: ['!string', 'Path relative to $(BIPLANE_FILES).'],
    },
  },
}
