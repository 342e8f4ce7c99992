/** A page of recipes as something to run: per section its commands, and what they are said to print. */

export interface Step {
  readonly script: string;
  /** Its standard output, when the page shows it. */
  readonly prints?: string;
}

export interface Recipe {
  readonly title: string;
  readonly steps: readonly Step[];
}

const FENCE = /^```(sh|text)\n([\s\S]*?)^```$/gm;

/** @throws when a text follows no commands */
export function readRecipes(page: string): readonly Recipe[] {
  const [, ...sections] = page.split(/^## /m);
  return sections.map((section) => {
    const steps: Step[] = [];
    for (const [, language, body = ''] of section.matchAll(FENCE)) {
      const last = steps.at(-1);
      if (language === 'sh') steps.push({ script: body });
      else if (last) steps[steps.length - 1] = { ...last, prints: body };
      else throw new Error(`nothing prints '${body}'`);
    }
    return { title: section.slice(0, section.indexOf('\n')), steps };
  });
}

/** One shell runs all steps of a recipe, and ends at the first that fails. Each writes a file of its own. */
export function scriptOf({ steps }: Recipe): string {
  return ['set -eu', ...steps.map(({ script }, at) => `{\n${script}} > .step-${at}`)].join('\n');
}
