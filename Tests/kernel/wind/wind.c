// SPDX-License-Identifier: GPL-2.0
/*
 * Winds the free-running indices of an open /dev/ktx or /dev/krx on, as if as many entries had gone through its rings:
 * what would otherwise take 2^32 of them to reach. The owner writes "DESCRIPTOR INDEX" to
 * /sys/module/wind/parameters/file. Is compiled with the module's own headers.
 */
#include "krx.h"
#include "ktx.h"

#include <linux/file.h>
#include <linux/module.h>

static void wind_ktx(struct ktx *ktx, u32 index)
{
	mutex_lock(&ktx->submit);
	spin_lock_bh(&ktx->lock);
	ktx->submission_consumer = index;
	ktx->completion_producer = index;
	ktx->completion_consumer = index;
	ktx->published = index;
	ktx->header->submission_producer = index;
	ktx->header->submission_consumer = index;
	ktx->header->completion_producer = index;
	ktx->header->completion_consumer = index;
	spin_unlock_bh(&ktx->lock);
	mutex_unlock(&ktx->submit);
}

static void wind_krx(struct krx *krx, u32 index)
{
	spin_lock_bh(&krx->lock);
	krx->producer = index;
	krx->consumer = index;
	krx->sequence = index;
	krx->header->producer = index;
	krx->header->consumer = index;
	spin_unlock_bh(&krx->lock);
}

static int set_file(const char *value, const struct kernel_param *parameter)
{
	unsigned int fd, index;
	struct file *file;

	if (sscanf(value, "%u %u", &fd, &index) != 2)
		return -EINVAL;
	file = fget(fd);
	if (!file)
		return -EBADF;
	if (!strcmp(file->f_path.dentry->d_name.name, "ktx"))
		wind_ktx(file->private_data, index);
	else
		wind_krx(file->private_data, index);
	fput(file);
	return 0;
}

static const struct kernel_param_ops file_operations = { .set = set_file };
module_param_cb(file, &file_operations, NULL, 0200);

static int __init wind_init(void)
{
	return 0;
}

static void __exit wind_exit(void)
{
}

module_init(wind_init);
module_exit(wind_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Indices near their wrap, for tests");
