import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'

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

export const imageRecipes: KindDefinition<ImageRecipe> = defineKind({
  group: 'biplane.dev',
  version: 'v1alpha1',
  kind: 'ImageRecipe',
  plural: 'imagerecipes',
  namespaced: false,
  schema: 'dev.biplane.v1alpha1.ImageRecipe',
})
