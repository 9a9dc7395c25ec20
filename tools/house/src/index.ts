export { features, type Feature } from './features.js';
export { needs, skipWithout, type Lack } from './needs.js';
