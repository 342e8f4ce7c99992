/** The configuration of a running agent: what may change while it runs does, the rest waits. */
import type { Config, LoadedConfig } from './config.ts';
import type { Sources } from './sources.ts';
import { settingOf, SETTING_NAMES, type SettingName } from './settings.ts';

export interface Reloaded {
  /** Settings that have a new value from now on. */
  readonly changed: readonly SettingName[];
  /** Settings that were changed and keep their old value until the agent is started again. */
  readonly waiting: readonly SettingName[];
}

export class LiveConfig {
  readonly #read: () => LoadedConfig;
  readonly #watchers = new Set<(changed: readonly SettingName[]) => void>();
  readonly #guards: ((config: Config) => void)[] = [];
  #current: Config;
  #sources: Sources;
  #waiting: readonly SettingName[] = [];

  /**
   * @param read what is said now: at the start and at every reload
   * @throws what `read` throws
   */
  constructor(read: () => LoadedConfig) {
    this.#read = read;
    ({ config: this.#current, sources: this.#sources } = read());
  }

  /** Not to be kept: ask again whenever it is needed. */
  get current(): Config {
    return this.#current;
  }

  /** Where it was said, at the last time that it was read. */
  get sources(): Sources {
    return this.#sources;
  }

  /** What was changed since the start and counts only after the next one. */
  get waiting(): readonly SettingName[] {
    return this.#waiting;
  }

  /** @param check throws a `GolemError` at what cannot be, such as more memory than the machine has */
  guard(check: (config: Config) => void): void {
    this.#guards.push(check);
  }

  /** @returns ends it */
  watch(call: (changed: readonly SettingName[]) => void): () => void {
    this.#watchers.add(call);
    return () => this.#watchers.delete(call);
  }

  /** @throws {GolemError} `usage` when what is said now is wrong: then nothing has changed */
  reload(): Reloaded {
    const { config: said, sources } = this.#read();
    for (const check of this.#guards) check(said);
    this.#sources = sources;
    const different = SETTING_NAMES.filter((name) => !isSame(said[name], this.#current[name]));
    const changed = different.filter((name) => settingOf(name).live);
    this.#waiting = different.filter((name) => !settingOf(name).live);
    if (changed.length > 0) {
      const values = Object.fromEntries(changed.map((name) => [name, said[name]]));
      this.#current = { ...this.#current, ...values };
      for (const call of this.#watchers) call(changed);
    }
    return { changed, waiting: this.#waiting };
  }
}

/** Values of settings are plain data. */
function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
