/**
 * Files that the build puts into the executable as text (`with { type: "text" }`). Says their type, no more.
 */
declare module "*/gc_compute.py" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: that is how the bundler hands out a text
  export default text;
}

declare module "*.txt" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: that is how the bundler hands out a text
  export default text;
}
