// What JupyterLab's federation loads: a classic script, and from here on ES modules.
(() => {
  const here = document.currentScript.src; // known only while this runs
  let scope;

  async function shared(name) {
    const versions = Object.values(scope[name] ?? {});
    if (!versions.length) throw new Error(`JupyterLab shares no ${name}`);
    const used = versions.find((one) => one.loaded) ?? versions.find((one) => one.eager);
    return (await (used ?? versions[0]).get())();
  }

  (window._JUPYTERLAB ??= {})["podline-jupyter"] = {
    init(given) {
      scope = given;
    },
    async get() {
      const { makePlugin } = await import(new URL("plugin.js", here));
      const [notebook, apputils, services, settingregistry, components, lumino] = await Promise.all(
        [
          "@jupyterlab/notebook",
          "@jupyterlab/apputils",
          "@jupyterlab/services",
          "@jupyterlab/settingregistry",
          "@jupyterlab/ui-components",
          "@lumino/widgets",
        ].map(shared),
      );
      const plugin = makePlugin({
        INotebookTracker: notebook.INotebookTracker,
        ICommandPalette: apputils.ICommandPalette,
        Dialog: apputils.Dialog,
        showDialog: apputils.showDialog,
        ServerConnection: services.ServerConnection,
        ISettingRegistry: settingregistry.ISettingRegistry,
        LabIcon: components.LabIcon,
        Widget: lumino.Widget,
      });
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
