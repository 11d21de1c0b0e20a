import type { ImageRecipe } from '../../../api/biplane.dev/v1alpha1/image-recipe.ts'
import type { Container } from '../../../api/generated/types.ts'
import { RuntimeError } from '../runtime.ts'
import { MISSING_PROGRAM } from './builtin.ts'

/** A file to write below the directory `$(BIPLANE_FILES)` before the container starts. */
export interface RecipeFile {
  /** Relative, never leaving the directory. */
  readonly path: string
  readonly content: string
  /** Permission bits. */
  readonly mode: number
}

/** What runs for a container; `$(VAR)` not expanded yet. */
export interface ContainerPlan {
  readonly error?: undefined
  /** argv, never empty. */
  readonly command: readonly string[]
  /** Stands for the image's ENV: weaker than every variable of the pod. */
  readonly env: Readonly<Record<string, string>>
  readonly workingDir?: string
  readonly files: readonly RecipeFile[]
}

/**
 * Decides what runs on the host for `container`: its `command` replaces the recipe's command and args (image ENTRYPOINT and CMD), its `args` the
 * recipe's args.
 * @returns the plan, or the error `ImageNotRunnableAsProcess` with a message that names the fix
 */
export function planContainer(
  container: Pick<Container, 'name' | 'image' | 'command' | 'args' | 'workingDir'>,
  recipe: ImageRecipe | undefined,
): ContainerPlan | { readonly error: RuntimeError } {
  const image = container.image ?? ''
  if (!recipe) {
    return refuse(
      `image "${image}" has no recipe, so nothing says which program of this machine it stands for: ` +
        `create an ImageRecipe with spec.images [${JSON.stringify(patternFor(image))}], or set image: host to run the container's command as given`,
    )
  }
  const missing = recipe.metadata.annotations?.[MISSING_PROGRAM]
  if (missing !== undefined) {
    return refuse(
      `image "${image}" needs the program ${missing}, which is not on this node: install it, or create an ImageRecipe with spec.images [${JSON.stringify(patternFor(image))}]`,
    )
  }
  const command = commandOf(container, recipe)
  if (command.length === 0) {
    return refuse(
      `image "${image}" runs by recipe ${recipe.metadata.name}, which has no command of its own: set command in container "${container.name}", or spec.command in a recipe`,
    )
  }
  const bad = recipe.spec.files?.find((file) => !isInside(file.path))
  if (bad) {
    return refuse(
      `recipe ${recipe.metadata.name} has a file "${bad.path}" outside of its directory: make spec.files[].path relative, without ".."`,
    )
  }
  const workingDir = container.workingDir ?? recipe.spec.workingDir
  return {
    command,
    env: recipe.spec.env ?? {},
    ...(workingDir ? { workingDir } : {}),
    files: (recipe.spec.files ?? []).map(({ path, content, mode }) => ({ path, content, mode: mode ?? 0o644 })),
  }
}

function commandOf(container: Pick<Container, 'command' | 'args'>, recipe: ImageRecipe): readonly string[] {
  const args = container.args?.length ? container.args : undefined
  if (container.command?.length) return [...container.command, ...(args ?? [])]
  // a recipe without a command runs commands as given: arguments alone would run something by accident
  if (!recipe.spec.command?.length) return []
  return [...recipe.spec.command, ...(args ?? recipe.spec.args ?? [])]
}

function isInside(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..')
}

/** `registry/team/app:1.2@sha256:...` -> `registry/team/app*`. */
function patternFor(image: string): string {
  const name = image.split('@')[0] as string
  const colon = name.lastIndexOf(':')
  return `${colon > name.lastIndexOf('/') ? name.slice(0, colon) : name}*`
}

function refuse(message: string): { readonly error: RuntimeError } {
  return { error: new RuntimeError('ImageNotRunnableAsProcess', message) }
}
