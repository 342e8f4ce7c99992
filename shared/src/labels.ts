/** Labels of VMs that programs set, and people do not. */

/** Shows to the key that ordered a VM that it did: a mark that only this key can make. */
export const ORDERED_LABEL = 'golem/ordered';
