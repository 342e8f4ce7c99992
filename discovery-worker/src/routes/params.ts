import { GolemError } from '@vm-on-golem/shared/errors';
import { providerIdSchema, vmIdSchema } from '@vm-on-golem/shared/ids';
import { vmNameSchema } from '@vm-on-golem/shared/vm';

/** @throws {GolemError} `invalid_request` for what cannot be the id of a provider. */
export function providerParam(text: string | undefined): string {
  const parsed = providerIdSchema.safeParse(text);
  if (!parsed.success) {
    throw new GolemError('invalid_request', "The provider's id is not valid.", {
      hint: 'It is gp_ and 26 lower-case letters and digits.',
    });
  }
  return parsed.data;
}

/** @throws {GolemError} `invalid_request` for what can be neither the id nor the name of a VM. */
export function checkVmParam(text: string | undefined): void {
  if (!vmIdSchema.safeParse(text).success && !vmNameSchema.safeParse(text).success) {
    throw new GolemError('invalid_request', 'The name or id of the VM is not valid.');
  }
}
