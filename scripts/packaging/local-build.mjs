/** The mark of a build that must stay on the machine that made it. */
export const LOCAL_BUILD_FILE = 'LOCAL-BUILD.txt';
export const LOCAL_BUILD_TEXT = `This build was made with an Electron binary that does not come from its official download (an unofficial re-pack of the
same version). It is for use on this machine and not to be published or passed on.
`;
