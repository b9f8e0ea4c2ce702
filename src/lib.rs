//! rollboot reboots Kubernetes nodes when their operating system asks for it, one at a time.
