import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkEnvName } from '../../validation/names.ts'
import { checkFileMode, checkLocalPath } from '../../validation/paths.ts'

/** How to run the containers of matching images as plain processes. */
export interface ImageRecipeSpec {
  /** Glob over the image as written, registry and tag included (`*redis:*`); `*` matches any characters. */
  images: string[]
  /** Larger wins when several recipes match; then the longer pattern, then the name. Built-in recipes have -1000. Default 0. */
  priority?: number | undefined
  /** Host command that stands for the image's ENTRYPOINT; `$(VAR)` is expanded. Absent: the container's own `command` runs as given. */
  command?: string[] | undefined
  /** Stands for the image's CMD; a container's `args` replace it. */
  args?: string[] | undefined
  /** Stands for the image's ENV; a container's own variables win. */
  env?: { [name: string]: string } | undefined
  workingDir?: string | undefined
  /** Files put into the container's private directory before it starts; path relative to `$(BIPLANE_FILES)`. */
  files?: { path: string; content: string; mode?: number | undefined }[] | undefined
}

/** Cluster-scoped: lets unmodified manifests run without a container engine. */
export interface ImageRecipe extends KubeObject {
  spec: ImageRecipeSpec
}

export const imageRecipes: KindDefinition<ImageRecipe> = defineKind<ImageRecipe>({
  group: 'biplane.dev',
  version: 'v1alpha1',
  kind: 'ImageRecipe',
  plural: 'imagerecipes',
  namespaced: false,
  schema: 'dev.biplane.v1alpha1.ImageRecipe',
  columns: [
    {
      name: 'Images',
      type: 'string',
      description: 'Patterns of images that it runs.',
      value: ({ spec }) => (spec?.images ?? []).join(','),
    },
    { name: 'Command', type: 'string', description: 'Host command that stands for the image.', value: commandCell },
    {
      name: 'Priority',
      type: 'integer',
      priority: 1,
      description: 'Larger wins where several match.',
      value: ({ spec }) => spec?.priority ?? 0,
    },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkRecipe(errors, spec ?? {})) },
})

function commandCell({ spec }: ImageRecipe): string {
  return spec?.command?.length ? [...spec.command, ...(spec.args ?? [])].join(' ') : '<container>'
}

function checkRecipe(errors: FieldErrors, spec: Partial<ImageRecipeSpec>): void {
  if (!spec.images?.length) errors.required('spec.images', 'must name at least one pattern, such as "*redis:*"')
  spec.images?.forEach((image, i) => {
    if (image.trim() === '') errors.required(`spec.images[${i}]`)
    else if (image.trim() !== image) errors.invalid(`spec.images[${i}]`, image, 'must not have leading or trailing whitespace')
    if (spec.images!.indexOf(image) !== i) errors.duplicate(`spec.images[${i}]`, image)
  })
  if (spec.command?.[0] === '') errors.required('spec.command[0]', 'must name a program')
  for (const name of Object.keys(spec.env ?? {})) errors.invalidEach(`spec.env[${name}]`, name, checkEnvName(name))
  const paths = new Set<string>()
  spec.files?.forEach(({ path, mode }, i) => {
    const field = `spec.files[${i}]`
    if (!path) return errors.required(`${field}.path`)
    checkLocalPath(errors, `${field}.path`, path)
    if (paths.has(path)) errors.duplicate(`${field}.path`, path)
    paths.add(path)
    checkFileMode(errors, `${field}.mode`, mode)
  })
}
