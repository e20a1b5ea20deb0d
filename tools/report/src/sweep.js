// SPDX-License-Identifier: Apache-2.0
export function sweep_sections() { return []; }
