<?php
/**
 * WooCommerce > Settings > Integration > Reprise.
 *
 * @package Reprise
 */

namespace Reprise;

defined( 'ABSPATH' ) || exit;

/** The four values of the connection, where they did not come with the download. */
final class Settings extends \WC_Integration {
	public function __construct() {
		$this->id                 = 'reprise';
		$this->method_title       = 'Reprise';
		$this->method_description = $this->standing();
		if ( null === Connection::downloaded() ) {
			$this->init_form_fields();
			$this->init_settings();
		}
		add_action( "woocommerce_update_options_integration_$this->id", array( $this, 'process_admin_options' ) );
	}

	public function init_form_fields(): void {
		$this->form_fields = array(
			'house'  => $this->field( __( 'Address of your Reprise', 'reprise' ), 'url' ),
			'shop'   => $this->field( __( 'Key of this shop', 'reprise' ), 'text' ),
			'hook'   => $this->field( __( 'Address for webhooks', 'reprise' ), 'url' ),
			'secret' => $this->field( __( 'Secret of the plugin', 'reprise' ), 'password' ),
		);
	}

	private function standing(): string {
		if ( null !== Connection::downloaded() ) {
			return __( 'Connected: the address and the key came with the plugin that you downloaded.', 'reprise' );
		}
		return null === Connection::current()
			? __( 'Not connected. Download the plugin from the connect page of your Reprise, or copy these four values from there.', 'reprise' )
			: __( 'Connected.', 'reprise' );
	}

	private function field( string $title, string $type ): array {
		return array(
			'title'   => $title,
			'type'    => $type,
			'default' => '',
		);
	}
}
