import './cspNonce.ts'
import './styles/app.css'
import { createElectronLink } from './api/links/electron.ts'
import { createWebLink } from './api/links/web.ts'
import { mount } from './mount.tsx'

mount(window.lockstep === undefined ? createWebLink() : createElectronLink(window.lockstep))
