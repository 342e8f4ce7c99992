CREATE TABLE `providers` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`offer_text` text NOT NULL,
	`offer_signature` text NOT NULL,
	`online` integer NOT NULL,
	`accepting` integer NOT NULL,
	`since` integer NOT NULL,
	`first_seen` integer NOT NULL,
	`country` text NOT NULL,
	`asn` integer,
	`arch` text NOT NULL,
	`cpus` integer NOT NULL,
	`memory_mib` integer NOT NULL,
	`storage_gib` integer NOT NULL,
	`vms` integer NOT NULL,
	`cpu_hour` integer NOT NULL,
	`memory_gib_hour` integer NOT NULL,
	`storage_gib_hour` integer NOT NULL,
	`price_small` integer NOT NULL,
	`price_medium` integer NOT NULL,
	`price_large` integer NOT NULL,
	`price_xlarge` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `providers_by_price_small` ON `providers` (`price_small`,`id`) WHERE online = 1 AND accepting = 1;--> statement-breakpoint
CREATE INDEX `providers_by_price_medium` ON `providers` (`price_medium`,`id`) WHERE online = 1 AND accepting = 1;--> statement-breakpoint
CREATE INDEX `providers_by_price_large` ON `providers` (`price_large`,`id`) WHERE online = 1 AND accepting = 1;--> statement-breakpoint
CREATE INDEX `providers_by_price_xlarge` ON `providers` (`price_xlarge`,`id`) WHERE online = 1 AND accepting = 1;--> statement-breakpoint
CREATE INDEX `providers_by_first_seen` ON `providers` (`first_seen`,`id`) WHERE online = 1 AND accepting = 1;--> statement-breakpoint
CREATE INDEX `providers_by_capacity` ON `providers` (`cpus`,`memory_mib`,`id`) WHERE online = 1 AND accepting = 1;